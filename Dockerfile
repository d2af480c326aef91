# docker build -t xfv . && docker run --rm -p 7860:7860 xfv
FROM python:3.12-slim
RUN useradd --create-home xfv
WORKDIR /home/xfv/app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY LICENSE *.md app.py weights.json ./
COPY examples examples
COPY page page
COPY xfv_core xfv_core
USER xfv
EXPOSE 7860
CMD ["python", "app.py", "--host", "0.0.0.0"]
